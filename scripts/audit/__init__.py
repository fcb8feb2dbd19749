"""What of the supply chain can be looked at without a network, and in plain words what was not looked at.

    python -m scripts.audit --tools FOLDER

FOLDER is the `bin` of the environment made from requirements/audit.txt. A scan passes, finds something or was not done;
what was not done is listed with its reason, because silence would read as "clean".
"""

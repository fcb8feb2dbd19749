"""Checks of the folder .harness that need no Harness account.

    .venv/bin/python -m scripts.harness check .harness

An account reports a misspelt key, a reference to nothing or an expression without a value when a run reaches it, which
may be in production. Here they are found before the commit lands. What this cannot show is that a run succeeds.

folder       reads the files
keys         every key is one that is known
listings     the two lists kept by hand: account.yaml and expressions.yaml
schema       Harness's published schema of pipelines and triggers, as it is and without unknown keys
templates    puts templates into pipelines and input sets into both
expressions  every <+...> names something that has a value where it is used (turns)
references   every identifier, make target and file path exists
"""

"""Checks of the folder .harness that need no Harness account.

    .venv/bin/python -m scripts.harness check .harness

An account reports a misspelt key, a reference to nothing or an expression without a value when a run reaches it, which
may be in production. Here they are found before the commit lands. What this cannot show is that a run succeeds.

folder       reads the files
listings     the two lists kept by hand: account.yaml and expressions.yaml
shapes       what the files must look like for which Harness publishes no schema (closed, cron)
schema       Harness's published schema of pipelines and triggers, as it is and without unknown keys
templates    puts templates into pipelines and input sets into both
known        the stages and steps that our pipelines use, key by key (keys)
conditions   every condition of a stage can hold
expressions  every <+...> names something that has a value where it stands (syntax, turns)
references   every identifier, make target and file path exists; rules of our own
belonging    what belongs to one environment is used in that one
gates        the table of what a release must pass, with what each stops; gate_check holds the pipelines to it
check        all of them together, shapes first: what comes later takes every key and sort of value for granted
"""

"""The worker: a process that does the runs of a namespace's workflows, and answers for them by HTTP."""

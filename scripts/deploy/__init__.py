"""One published release into one cluster, by digest: rolling, blue/green or canary, with the way back.

    python -m scripts.deploy STEP --context NAME --strategy NAME --published FILE --values FILE...
    python -m scripts.deploy roll-back --context NAME

What `make deploy` runs, in .github and by hand. helm owns the release and upgrades it once, at the end (`finish`).
Before that, blue/green and canary start the new gateway alongside the old one, ask it, and compare the two by
those answers and the gateways' own metrics. Only kubectl and helm are needed: metrics and questions go through
`kubectl port-forward`, so neither a Prometheus nor a way into the cluster's network is.

Gateways keep nothing and speak with agents of the release before and after, so the gateway may go first. What must not
go first is a gateway that needs new rights of the chart: deploy such a release rolling.
"""

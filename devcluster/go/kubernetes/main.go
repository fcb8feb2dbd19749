// All of Kubernetes in one binary: the name it is called by (argv[0]) chooses the component.
//
// One binary links in a third of the time and disk that six would need, because the components share nearly all of
// their packages. Each component still runs as a process of its own. The build tag "apiserver_only" leaves out
// everything but the API server (see others.go), for trying a newer Kubernetes where nothing else is needed.
package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
)

// components maps the name of a component to what runs it and returns the exit status.
var components = map[string]func() int{
	"kube-apiserver": func() int { return cli.Run(apiserver.NewAPIServerCommand()) },
}

func main() {
	run, found := components[filepath.Base(os.Args[0])]
	if !found {
		names := slices.Sorted(maps.Keys(components))
		fmt.Fprintf(os.Stderr, "call this binary through a link named as one of %v\n", names)
		os.Exit(2)
	}
	os.Exit(run())
}

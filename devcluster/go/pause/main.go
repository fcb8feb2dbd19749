// A process that does nothing until it is told to stop.
//
// It has two uses: as the "sandbox" container that keeps a pod's network alive while its containers come and go, and as
// the process that keeps a cluster's own namespaces alive. As PID 1 of a pod it also collects orphaned children.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	signal.Ignore(syscall.SIGHUP)
	for received := range signals {
		if received != syscall.SIGCHLD {
			return
		}
		reap()
	}
}

func reap() {
	for {
		if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
			return
		}
	}
}

package main

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// A socket belongs to the namespace of the thread that makes it, for good. So a few threads live in the namespace and
	// only connect; the copying happens in any thread. Connecting to an address on the same machine takes microseconds.
	dialerThreads = 16
	dialTimeout   = 5 * time.Second
)

type dialRequest struct {
	address string
	result  chan<- dialResult
}

type dialResult struct {
	connection net.Conn
	err        error
}

type dialers chan dialRequest

// startDialers starts the threads and returns once all of them are inside the namespace.
func startDialers(namespace string) (dialers, error) {
	file, err := os.Open(namespace)
	if err != nil {
		return nil, fmt.Errorf("open the namespace: %w", err)
	}
	defer file.Close()
	requests := make(dialers)
	entered := make(chan error)
	for range dialerThreads {
		go requests.work(int(file.Fd()), entered)
	}
	for range dialerThreads {
		if err := <-entered; err != nil {
			return nil, fmt.Errorf("enter the namespace %s: %w", namespace, err)
		}
	}
	return requests, nil
}

// work never gives its thread back: a thread that has entered another namespace must not run other code.
func (d dialers) work(namespace int, entered chan<- error) {
	runtime.LockOSThread()
	err := unix.Setns(namespace, unix.CLONE_NEWNET)
	entered <- err
	if err != nil {
		return
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	for request := range d {
		connection, err := dialer.Dial("tcp", request.address)
		request.result <- dialResult{connection, err}
	}
}

func (d dialers) dial(address string) (*net.TCPConn, error) {
	result := make(chan dialResult, 1)
	d <- dialRequest{address, result}
	dialed := <-result
	if dialed.err != nil {
		return nil, dialed.err
	}
	return dialed.connection.(*net.TCPConn), nil
}

package main

import (
	"io"
	"net"
)

// join copies bytes both ways until both sides have finished. When one side has finished sending, the other is notified and
// may go on sending (a request body that ends before a streamed answer does). When one side breaks, both are broken off,
// so that nobody takes half an answer for a whole one.
func join(client, server *net.TCPConn) {
	done := make(chan error, 2)
	go func() { done <- send(server, client) }()
	go func() { done <- send(client, server) }()
	for range 2 {
		if err := <-done; err != nil {
			abort(client)
			abort(server)
		}
	}
	client.Close()
	server.Close()
}

func send(to, from *net.TCPConn) error {
	if _, err := io.Copy(to, from); err != nil {
		return err
	}
	return to.CloseWrite()
}

// abort closes with a reset instead of an orderly end.
func abort(connection *net.TCPConn) {
	connection.SetLinger(0)
	connection.Close()
}

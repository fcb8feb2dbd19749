// A door from this machine's loopback address into a cluster's network namespace.
//
// It listens where it was started and dials inside the namespace of another process, so that one program holds both ends
// of every connection: no process per connection, no packet forwarding, no change to the machine's own network.
//
//	door -namespace /proc/123/ns/net -listen 127.0.0.1:8080 -to 10.96.0.20:80
package main

import (
	"flag"
	"log"
	"net"
	"time"
)

func main() {
	namespace := flag.String("namespace", "", "file of the network namespace to dial in, such as /proc/123/ns/net")
	listen := flag.String("listen", "", "address to listen on, such as 127.0.0.1:8080")
	to := flag.String("to", "", "address to dial in the namespace, such as 10.96.0.20:80 (no names)")
	flag.Parse()
	log.SetPrefix("door: ")
	if _, err := net.ResolveTCPAddr("tcp", *to); err != nil || *namespace == "" || *listen == "" {
		log.Fatal("give -namespace FILE -listen ADDRESS:PORT -to ADDRESS:PORT")
	}
	dialers, err := startDialers(*namespace)
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("%s leads to %s in %s", listener.Addr(), *to, *namespace)
	for {
		client, err := listener.Accept()
		if err != nil { // out of files, most likely: those who are connected go on, and newcomers wait
			log.Print(err)
			time.Sleep(10 * time.Millisecond)
			continue
		}
		go serve(client.(*net.TCPConn), *to, dialers)
	}
}

// serve connects one client, or closes its connection when nothing answers, as a refused connection would look.
func serve(client *net.TCPConn, to string, dialers dialers) {
	server, err := dialers.dial(to)
	if err != nil {
		log.Printf("%s: %v", client.RemoteAddr(), err)
		abort(client)
		return
	}
	join(client, server)
}

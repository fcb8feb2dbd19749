// A single etcd member for a throw-away cluster: etcd's own server, embedded, with the few settings that are needed.
//
// The upstream command is split over modules that cannot be installed by version with "go install"; its embed package can
// be required like any library.
package main

import (
	"flag"
	"log"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

func main() {
	dir := flag.String("data-dir", "", "data directory")
	listen := flag.String("listen", "http://127.0.0.1:2379", "client URL")
	peer := flag.String("peer", "http://127.0.0.1:2380", "peer URL")
	unsafeNoFsync := flag.Bool("unsafe-no-fsync", false, "do not wait for the disk: much faster, loses data when the machine dies")
	flag.Parse()
	if *dir == "" {
		log.Fatal("give -data-dir")
	}
	server, err := embed.StartEtcd(config(*dir, parse(*listen), parse(*peer), *unsafeNoFsync))
	if err != nil {
		log.Fatal(err)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	select {
	case <-stop:
		server.Close()
	case err := <-server.Err():
		log.Fatal(err)
	}
}

func config(dir string, client, peer url.URL, unsafeNoFsync bool) *embed.Config {
	cfg := embed.NewConfig()
	cfg.Name = "devcluster"
	cfg.Dir = dir
	cfg.UnsafeNoFsync = unsafeNoFsync
	cfg.LogLevel = "warn"
	// Left at zero, the default here but not of etcd's own command, every single request would be logged as slow.
	cfg.WarningUnaryRequestDuration = 300 * time.Millisecond
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	cfg.InitialCluster = cfg.Name + "=" + peer.String()
	cfg.QuotaBackendBytes = 4 << 30
	return cfg
}

func parse(text string) url.URL {
	parsed, err := url.Parse(text)
	if err != nil {
		log.Fatal(err)
	}
	return *parsed
}

// Command coredns is CoreDNS with only the plugins that a cluster's DNS needs.
//
// The full program links the SDKs of three clouds; this one shares nearly all
// its packages with the Kubernetes commands built from the same go.mod.
package main

import (
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/forward"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/ready"

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
)

func init() {
	dnsserver.Directives = []string{"bind", "errors", "ready", "cache", "kubernetes", "forward"}
}

func main() {
	coremain.Run()
}

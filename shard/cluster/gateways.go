package cluster

import "github.com/feedgate/feedgate/feedengine"

// Gateways is how many other nodes take clients now.
func (n *Node) Gateways() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	count := 0
	for node, s := range n.watch.seen {
		if node != n.opts.Node && s.Gateway && s.beating && !s.dead && s.State == feedengine.MemberServing {
			count++
		}
	}
	return count
}

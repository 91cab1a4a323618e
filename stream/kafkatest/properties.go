package kafkatest

import (
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
)

// clusterID is the KRaft id that every test cluster is formatted with.
const clusterID = "5L6g3nShT-eMCtK--X86sw"

// kafkaVersion is the release of the jars and of the image.
func kafkaVersion() string {
	if version := os.Getenv("KAFKA_VERSION"); version != "" {
		return version
	}
	return "4.1.1"
}

// ports are those of one node, on 127.0.0.1.
type ports struct {
	client, controller int
	outside, network   int // where its Network leads, and where it begins; 0 without
}

// freePorts asks the system for n ports that nobody listens on. Another process could take one before the broker does;
// the broker then ends with a bind error in its log and the test fails.
func freePorts(n int) ([]int, error) {
	found := make([]int, 0, n)
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close() // after the loop, so that no port is found twice
		found = append(found, listener.Addr().(*net.TCPAddr).Port)
	}
	return found, nil
}

// nodePorts finds those of each node together, so that none is found twice.
func nodePorts(options Options) ([]ports, error) {
	each := 2
	if options.Proxied {
		each = 4
	}
	free, err := freePorts(each * options.nodes())
	if err != nil {
		return nil, err
	}
	all := make([]ports, options.nodes())
	for node := range all {
		own := free[each*node:]
		all[node] = ports{client: own[0], controller: own[1]}
		if options.Proxied {
			all[node].outside, all[node].network = own[2], own[3]
		}
	}
	return all, nil
}

func clientAddresses(all []ports) []string {
	addresses := make([]string, len(all))
	for node, p := range all {
		addresses[node] = fmt.Sprintf("127.0.0.1:%d", p.client)
	}
	return addresses
}

// properties are the settings of one node that is broker and controller at once. bind is the address it listens on;
// clients are always sent to 127.0.0.1.
func properties(node int, all []ports, bind, data string, options Options) string {
	var voters []string
	for id, p := range all {
		voters = append(voters, fmt.Sprintf("%d@127.0.0.1:%d", id+1, p.controller))
	}
	replicas, inSync := 1, 1
	if len(all) >= 3 {
		replicas, inSync = 3, 2
	}
	values := map[string]string{
		"process.roles":                                               "broker,controller",
		"node.id":                                                     fmt.Sprint(node + 1),
		"controller.quorum.voters":                                    strings.Join(voters, ","),
		"listeners":                                                   fmt.Sprintf("PLAINTEXT://%s:%d,CONTROLLER://%s:%d", bind, all[node].client, bind, all[node].controller),
		"advertised.listeners":                                        fmt.Sprintf("PLAINTEXT://127.0.0.1:%d", all[node].client),
		"controller.listener.names":                                   "CONTROLLER",
		"inter.broker.listener.name":                                  "PLAINTEXT",
		"listener.security.protocol.map":                              "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
		"log.dirs":                                                    data,
		"auto.create.topics.enable":                                   "false",
		"default.replication.factor":                                  fmt.Sprint(replicas),
		"min.insync.replicas":                                         fmt.Sprint(inSync),
		"offsets.topic.num.partitions":                                "4",
		"transaction.state.log.num.partitions":                        "4",
		"offsets.topic.replication.factor":                            fmt.Sprint(replicas),
		"transaction.state.log.replication.factor":                    fmt.Sprint(replicas),
		"transaction.state.log.min.isr":                               fmt.Sprint(inSync),
		"share.coordinator.state.topic.replication.factor":            fmt.Sprint(replicas),
		"share.coordinator.state.topic.min.isr":                       fmt.Sprint(inSync),
		"broker.session.timeout.ms":                                   "6000",
		"group.initial.rebalance.delay.ms":                            "0",
		"group.min.session.timeout.ms":                                "1000",
		"transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
		"log.cleaner.dedupe.buffer.size":                              "16777216",
	}
	if own := all[node]; own.outside > 0 {
		values["listeners"] += fmt.Sprintf(",OUTSIDE://%s:%d", bind, own.outside)
		values["advertised.listeners"] += fmt.Sprintf(",OUTSIDE://127.0.0.1:%d", own.network)
		values["listener.security.protocol.map"] += ",OUTSIDE:PLAINTEXT"
	}
	maps.Copy(values, options.Config)
	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(&text, "%s=%s\n", key, values[key])
	}
	return text.String()
}

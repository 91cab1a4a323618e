//go:build unix

package kafkatest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func init() {
	starters["jvm"] = func(options Options) (engine, error) { return startJVM(options) }
}

// jvm runs each node as a Java process of this machine. The processes end with the test process, however that ends
// (on Linux).
type jvm struct {
	home  string // the jars
	dir   string // one folder a node: server.properties, data, broker.log
	ports []ports
	nodes []*process
	nets  []*Network // one a node, or none
}

// process is one started Java; ended is closed when it is gone.
type process struct {
	*exec.Cmd
	ended chan struct{}
}

func startJVM(options Options) (*jvm, error) {
	home, err := jars()
	if err != nil {
		return nil, err
	}
	all, err := nodePorts(options)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "tributary-kafka-")
	if err != nil {
		return nil, err
	}
	j := &jvm{home: home, dir: dir, ports: all, nodes: make([]*process, len(all))}
	if options.Proxied {
		err = j.proxy()
	}
	if err == nil {
		err = j.format(options)
	}
	if err != nil {
		j.close(true)
		return nil, err
	}
	for node := range all {
		if err := j.restart(node); err != nil {
			j.close(true)
			return nil, err
		}
	}
	return j, nil
}

// proxy makes the Network of each node.
func (j *jvm) proxy() error {
	for node, p := range j.ports {
		network, err := newNetwork(fmt.Sprintf("node %d", node), p.network, p.outside)
		if err != nil {
			return err
		}
		j.nets = append(j.nets, network)
	}
	return nil
}

func (j *jvm) file(node int, name string) string {
	return filepath.Join(j.dir, fmt.Sprintf("node-%d", node), name)
}

// format writes the settings and the metadata of each node, side by side.
func (j *jvm) format(options Options) error {
	failures := make(chan error, len(j.ports))
	for node := range j.ports {
		go func() { failures <- j.formatNode(node, options) }()
	}
	var all []error
	for range j.ports {
		all = append(all, <-failures)
	}
	return errors.Join(all...)
}

func (j *jvm) formatNode(node int, options Options) error {
	if err := os.MkdirAll(j.file(node, ""), 0o755); err != nil {
		return err
	}
	settings := j.file(node, "server.properties")
	text := properties(node, j.ports, "127.0.0.1", j.file(node, "data"), options)
	if err := os.WriteFile(settings, []byte(text), 0o644); err != nil {
		return err
	}
	arguments := []string{"-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", filepath.Join(j.home, "*"), "kafka.tools.StorageTool",
		"format", "-t", clusterID, "-c", settings, "--ignore-formatted"}
	if version := options.transactionVersion(); version != 2 {
		arguments = append(arguments, "--feature", "transaction.version="+strconv.Itoa(version))
	}
	if said, err := exec.Command("java", arguments...).CombinedOutput(); err != nil {
		return fmt.Errorf("format node %d: %w\n%s", node, err, said)
	}
	return nil
}

func (j *jvm) name() string      { return "jvm" }
func (j *jvm) brokers() []string { return clientAddresses(j.ports) }

func (j *jvm) networks() []*Network { return j.nets }

func (j *jvm) data() (folders []string) {
	for node := range j.nodes {
		folders = append(folders, j.file(node, "data"))
	}
	return folders
}

func (j *jvm) restart(node int) error {
	if running := j.nodes[node]; running != nil && running.alive() {
		return fmt.Errorf("node %d is running", node)
	}
	log, err := os.OpenFile(j.file(node, "broker.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close() // the child has its own handle
	command := exec.Command("java", "-Xms256m", "-Xmx512m", "-XX:+UseG1GC", "-XX:TieredStopAtLevel=1",
		"-cp", filepath.Join(j.home, "*"), "kafka.Kafka", j.file(node, "server.properties"))
	command.Stdout, command.Stderr = log, log
	started, err := startProcess(command)
	if err != nil {
		return fmt.Errorf("start node %d: %w", node, err)
	}
	j.nodes[node] = started
	return nil
}

func (j *jvm) stop(node int) error { return j.end(node, syscall.SIGTERM) }
func (j *jvm) kill(node int) error { return j.end(node, syscall.SIGKILL) }

func (j *jvm) end(node int, signal syscall.Signal) error {
	if err := j.signal(node, signal); err != nil {
		return err
	}
	select {
	case <-j.nodes[node].ended:
		return nil
	case <-time.After(time.Minute):
		return fmt.Errorf("node %d still runs a minute after signal %v", node, signal)
	}
}

func (j *jvm) pause(node int) error  { return j.signal(node, syscall.SIGSTOP) }
func (j *jvm) resume(node int) error { return j.signal(node, syscall.SIGCONT) }

func (j *jvm) signal(node int, signal syscall.Signal) error {
	running := j.nodes[node]
	if running == nil || !running.alive() {
		return fmt.Errorf("node %d isn't running", node)
	}
	return running.Process.Signal(signal)
}

func (p *process) alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

func (j *jvm) logs() string {
	var text strings.Builder
	for node := range j.ports {
		fmt.Fprintf(&text, "node %d (%s):\n%s\n", node, j.file(node, "broker.log"), tail(j.file(node, "broker.log"), 8<<10))
	}
	return text.String()
}

// tail is the last size bytes of a file.
func tail(name string, size int64) string {
	file, err := os.Open(name)
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() > size {
		if _, err := file.Seek(-size, io.SeekEnd); err != nil {
			return err.Error()
		}
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// close kills what runs; a paused process dies of SIGKILL too. After a failure the data and the logs stay.
func (j *jvm) close(failed bool) {
	for node, running := range j.nodes {
		if running != nil && running.alive() {
			_ = j.kill(node)
		}
	}
	for _, network := range j.nets {
		network.close()
	}
	if failed {
		return
	}
	_ = os.RemoveAll(j.dir)
}

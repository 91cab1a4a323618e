//go:build kafka

package kafkatest

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

func init() {
	starters["container"] = func(options Options) (engine, error) { return startContainer(options) }
}

// docker runs one node in a container. The container's port is the host's, so that the address that the broker tells
// its clients is the one they can reach.
type docker struct {
	testcontainers.Container
	addresses []string
}

// script formats and starts. The image's own start script can't be told the level of a feature.
const script = `set -e
/opt/kafka/bin/kafka-storage.sh format -t %s -c /tmp/server.properties --ignore-formatted %s
exec /opt/kafka/bin/kafka-server-start.sh /tmp/server.properties
`

func image() string {
	if name := os.Getenv("KAFKA_IMAGE"); name != "" {
		return name
	}
	return "apache/kafka:" + kafkaVersion()
}

func startContainer(options Options) (*docker, error) {
	if options.nodes() > 1 || options.Proxied {
		return nil, unavailable{"the container engine runs one node and no proxies, this test needs more: use jvm"}
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := engineAnswers(ctx); err != nil {
		return nil, unavailable{fmt.Sprintf("no Docker engine answers: %v", err)}
	}
	all, err := nodePorts(Options{})
	if err != nil {
		return nil, err
	}
	request, err := containerRequest(all, options)
	if err != nil {
		return nil, err
	}
	running, err := testcontainers.GenericContainer(ctx, testcontainers.GenericContainerRequest{ContainerRequest: request, Started: true})
	if err != nil {
		if running != nil {
			_ = testcontainers.TerminateContainer(running)
		}
		return nil, fmt.Errorf("start %s: %w", image(), err)
	}
	return &docker{running, clientAddresses(all)}, nil
}

// engineAnswers asks the engine how it is. Looking for one that isn't there panics in the library.
func engineAnswers(ctx context.Context) (err error) {
	defer func() {
		if found := recover(); found != nil {
			err = fmt.Errorf("%v", found)
		}
	}()
	provider, err := testcontainers.NewDockerProvider()
	if err != nil {
		return err
	}
	defer provider.Close()
	return provider.Health(ctx)
}

func containerRequest(all []ports, options Options) (testcontainers.ContainerRequest, error) {
	feature := ""
	if version := options.transactionVersion(); version != 2 {
		feature = fmt.Sprintf("--feature transaction.version=%d", version)
	}
	port := fmt.Sprintf("%d/tcp", all[0].client)
	inside, err := network.ParsePort(port)
	if err != nil {
		return testcontainers.ContainerRequest{}, err
	}
	return testcontainers.ContainerRequest{
		Image:        image(),
		ExposedPorts: []string{port},
		Env:          map[string]string{"KAFKA_HEAP_OPTS": "-Xms256m -Xmx512m"},
		Entrypoint:   []string{"sh", "-c", fmt.Sprintf(script, clusterID, feature)},
		Files: []testcontainers.ContainerFile{{
			Reader:            strings.NewReader(properties(0, all, "0.0.0.0", "/tmp/kraft", options)),
			ContainerFilePath: "/tmp/server.properties",
			FileMode:          0o644,
		}},
		HostConfigModifier: func(host *container.HostConfig) {
			host.PortBindings = network.PortMap{inside: {{HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: fmt.Sprint(all[0].client)}}}
		},
		WaitingFor: wait.ForLog("Kafka Server started").WithStartupTimeout(startTimeout),
	}, nil
}

func (d *docker) name() string      { return "container" }
func (d *docker) brokers() []string { return d.addresses }

func (d *docker) networks() []*Network { return nil }

func (d *docker) stop(int) error {
	grace := time.Minute
	return d.Container.Stop(context.Background(), &grace)
}

// kill stops without grace, which is SIGKILL.
func (d *docker) kill(int) error {
	none := time.Duration(0)
	return d.Container.Stop(context.Background(), &none)
}

func (d *docker) pause(int) error {
	return d.ask(func(ctx context.Context, engine *testcontainers.DockerClient) error {
		_, err := engine.ContainerPause(ctx, d.GetContainerID(), client.ContainerPauseOptions{})
		return err
	})
}

func (d *docker) resume(int) error {
	return d.ask(func(ctx context.Context, engine *testcontainers.DockerClient) error {
		_, err := engine.ContainerUnpause(ctx, d.GetContainerID(), client.ContainerUnpauseOptions{})
		return err
	})
}

// ask talks to the engine about what the library has no method for.
func (d *docker) ask(what func(context.Context, *testcontainers.DockerClient) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	engine, err := testcontainers.NewDockerClientWithOpts(ctx)
	if err != nil {
		return err
	}
	defer engine.Close()
	return what(ctx, engine)
}

func (d *docker) restart(int) error { return d.Container.Start(context.Background()) }

func (d *docker) logs() string {
	reader, err := d.Container.Logs(context.Background())
	if err != nil {
		return err.Error()
	}
	defer reader.Close()
	text, err := io.ReadAll(reader)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-8<<10):])
}

func (d *docker) close(bool) { _ = testcontainers.TerminateContainer(d.Container) }

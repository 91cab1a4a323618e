package kafkatest

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

// echo answers every byte on a port of its own, which it returns.
func echo(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for buffer := make([]byte, 1); ; {
					if _, err := conn.Read(buffer); err != nil {
						return
					}
					if _, err := conn.Write(buffer); err != nil {
						return
					}
				}
			}()
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port
}

// ask sends a byte and waits for the echo; a nil conn dials.
func ask(network *Network, conn net.Conn, patience time.Duration) (net.Conn, error) {
	var err error
	if conn == nil {
		if conn, err = net.Dial("tcp", network.address()); err != nil {
			return nil, err
		}
	}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return conn, err
	}
	if _, err := conn.Write([]byte{1}); err != nil {
		return conn, err
	}
	_, err = conn.Read(make([]byte, 1))
	return conn, err
}

func TestNetworkFaults(t *testing.T) {
	free, err := freePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	network, err := newNetwork("test", free[0], echo(t))
	if err != nil {
		t.Fatal(err)
	}
	defer network.close()
	const long = 10 * time.Second
	conn, err := ask(network, nil, long)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name  string
		fault func() error
		check func() error
	}{
		{"slow", func() error { return network.Slow(100*time.Millisecond, 0) }, func() error {
			begun := time.Now()
			if _, err := ask(network, conn, long); err != nil {
				return err
			}
			if took := time.Since(begun); took < 200*time.Millisecond {
				t.Errorf("there and back in %v, want twice 100ms", took)
			}
			return nil
		}},
		{"mute", func() error { return network.Mute(ToClient) }, func() error {
			if _, err := ask(network, conn, 100*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("an answer came through a mute network, or %v", err)
			}
			return nil
		}},
		{"cut", network.Cut, func() error {
			if _, err := ask(network, conn, long); err == nil {
				t.Error("an answer came through a cut connection")
			}
			if _, err := ask(network, nil, long); err == nil {
				t.Error("a cut network takes connections")
			}
			return nil
		}},
	} {
		if err := errors.Join(step.fault(), step.check(), network.Heal()); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if conn, err = ask(network, nil, long); err != nil {
			t.Fatalf("healed after %s: %v", step.name, err)
		}
	}
}

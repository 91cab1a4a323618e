//go:build unix && !linux

package kafkatest

import "os/exec"

// startProcess starts a command. If this process is killed the command stays: only Linux can tie the two together.
func startProcess(command *exec.Cmd) (*process, error) {
	if err := command.Start(); err != nil {
		return nil, err
	}
	p := &process{Cmd: command, ended: make(chan struct{})}
	go func() {
		_ = command.Wait()
		close(p.ended)
	}()
	return p, nil
}

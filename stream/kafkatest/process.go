//go:build unix

package kafkatest

import "os/exec"

// StartProcess starts a command that ends with this test process, however that one ends (on Linux), and that has its own
// fate otherwise. ended is closed when it is gone.
func StartProcess(command *exec.Cmd) (ended <-chan struct{}, err error) {
	p, err := startProcess(command)
	if err != nil {
		return nil, err
	}
	return p.ended, nil
}

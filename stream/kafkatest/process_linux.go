package kafkatest

import (
	"os/exec"
	"runtime"
	"syscall"
)

// startProcess starts a command that the kernel kills when this process ends, even by a panic or a kill. The kernel
// watches the thread that started the command, not the process, so that thread is kept until the command has ended.
func startProcess(command *exec.Cmd) (*process, error) {
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	p := &process{Cmd: command, ended: make(chan struct{})}
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := command.Start()
		started <- err
		if err != nil {
			return
		}
		_ = command.Wait()
		close(p.ended)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

package lab

import "syscall"

// dieWithTest ends a process with the test that started it.
func dieWithTest() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

//go:build unix && !linux

package lab

import "syscall"

func dieWithTest() *syscall.SysProcAttr { return nil }

package main

import (
	"crypto/tls"
	"fmt"
	"net/url"
	"os"

	"github.com/vmware/govmomi/simulator"
)

// serveVCenter is "vcenter URLFILE VM…": a simulated vCenter with these VMs,
// which serves until it is killed.
func serveVCenter() {
	if err := startVCenter(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	select {}
}

func startVCenter(file string, names []string) error {
	model := simulator.VPX()
	model.Machine = len(names)
	if err := model.Create(); err != nil {
		return err
	}
	model.Service.TLS = new(tls.Config)
	model.Service.Listen = &url.URL{User: url.UserPassword("user", "pass")} // else any login would do
	server := model.Service.NewServer()
	if err := renameVMs(model, names); err != nil {
		return err
	}
	tmp := file + ".tmp"
	if err := os.WriteFile(tmp, []byte("https://"+server.URL.Host), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, file)
}

// renameVMs gives the first VMs the names that the hosts' parameters have.
func renameVMs(model *simulator.Model, names []string) error {
	vms := model.Map().All("VirtualMachine")
	for i, name := range names {
		vm, ok := vms[i].(*simulator.VirtualMachine)
		if !ok {
			return fmt.Errorf("%T is no VM", vms[i])
		}
		vm.Name = name
		vm.Config.Name, vm.Summary.Config.Name = name, name
	}
	return nil
}

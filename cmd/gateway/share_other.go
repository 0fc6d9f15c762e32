//go:build !unix

package main

import (
	"errors"
	"syscall"
)

func sharePort(string, string, syscall.RawConn) error {
	return errors.New("this system has no way for several processes to listen on one port: FEEDGATE_WORKERS must be 1")
}

func apart() *syscall.SysProcAttr { return nil }

func raiseDescriptors() (limit uint64, err error) { return 0, nil }

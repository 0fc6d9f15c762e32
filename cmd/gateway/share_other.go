//go:build !unix

package main

import (
	"errors"
	"os"
	"syscall"

	"github.com/feedgate/feedgate/gateway"
)

func sharePort(string, string, syscall.RawConn) error {
	return errors.New("this system has no way for several processes to listen on one port: FEEDGATE_WORKERS must be 1")
}

func makeTurns() (*os.File, error) { return nil, errors.ErrUnsupported }

func turnsIn(*os.File) (*gateway.Turns, error) { return nil, errors.ErrUnsupported }

func apart() *syscall.SysProcAttr { return nil }

func raiseDescriptors() (limit uint64, err error) { return 0, nil }

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// unnamed is an empty file that is memory only: on a disk, who writes to it could have to
// wait for the file system.
func unnamed(what string) (*os.File, error) {
	fd, err := unix.MemfdCreate(what, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	return os.NewFile(uintptr(fd), what), nil
}

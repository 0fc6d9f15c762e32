package lean

import "encoding/binary"

// Opcodes, RFC 6455 section 5.2.
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10

	bitFin  = 0x80
	bitMask = 0x80
	bitsRSV = 0x70

	maxControl = 125 // payload bytes of a control frame
)

// Violation is what a server did against RFC 6455.
type Violation string

func (v Violation) Error() string { return "lean: the server broke the protocol: " + string(v) }

// header is what a server's frame says before its payload.
type header struct {
	op      byte
	fin     bool
	size    int // bytes of the header itself; 0: it is not all here
	payload uint64
}

// parseHeader judges the header at the front of p as far as it is there.
func parseHeader(p []byte) (h header, err error) {
	if len(p) == 0 {
		return h, nil
	}
	h.op, h.fin = p[0]&0x0f, p[0]&bitFin != 0
	switch {
	case p[0]&bitsRSV != 0:
		return h, Violation("reserved bits")
	case h.op > opPong || h.op > opBinary && h.op < opClose:
		return h, Violation("reserved opcode")
	case h.op >= opClose && !h.fin:
		return h, Violation("fragmented control frame")
	}
	if len(p) == 1 {
		return h, nil
	}
	if p[1]&bitMask != 0 {
		return h, Violation("masked frame")
	}
	h.payload = uint64(p[1])
	if h.op >= opClose && h.payload > maxControl {
		return h, Violation("control frame too long")
	}
	switch {
	case h.payload < 126:
		h.size = 2
	case h.payload == 126 && len(p) >= 4:
		h.size, h.payload = 4, uint64(binary.BigEndian.Uint16(p[2:]))
		if h.payload < 126 {
			return h, Violation("length not in the fewest bytes")
		}
	case h.payload == 127 && len(p) >= 10:
		h.size, h.payload = 10, binary.BigEndian.Uint64(p[2:])
		if h.payload < 1<<16 || h.payload >= 1<<63 {
			return h, Violation("length not in the fewest bytes")
		}
	}
	return h, nil
}

// appendFrame appends a client's frame: first is FIN and opcode, key the mask.
func appendFrame(dst []byte, first byte, key uint32, payload []byte) []byte {
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, first, bitMask|byte(n))
	case n < 1<<16:
		dst = append(dst, first, bitMask|126, byte(n>>8), byte(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, first, bitMask|127), uint64(n))
	}
	dst = binary.LittleEndian.AppendUint32(dst, key)
	at := len(dst)
	dst = append(dst, payload...)
	mask(dst[at:], key)
	return dst
}

// mask is RFC 6455 section 5.3, eight bytes at a time.
func mask(p []byte, key uint32) {
	wide := uint64(key)<<32 | uint64(key)
	for ; len(p) >= 8; p = p[8:] {
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^wide)
	}
	for i := range p {
		p[i] ^= byte(key >> (8 * (i % 4)))
	}
}

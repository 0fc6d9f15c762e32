package socket

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
	bitRSV1 = 0x40 // of a compressed message's first frame (RFC 7692)

	maxControl = 125 // payload bytes of a control frame
	maxHeader  = 14  // bytes of a masked frame's longest header
)

// frameHead is what a frame's header says.
type frameHead struct {
	first   byte   // fin, reserved bits, opcode
	masked  bool   // a client's frames must be
	header  int    // bytes of the header itself
	payload uint64 // bytes that follow it
}

// parseHead reads the header at the front of p; ok is false when it is not all there.
func parseHead(p []byte) (h frameHead, ok bool) {
	if len(p) < 2 {
		return h, false
	}
	h.first, h.masked, h.header, h.payload = p[0], p[1]&bitMask != 0, 2, uint64(p[1]&^bitMask)
	switch h.payload {
	case 126:
		h.header = 4
	case 127:
		h.header = 10
	}
	if len(p) < h.header {
		return h, false
	}
	switch h.header {
	case 4:
		h.payload = uint64(binary.BigEndian.Uint16(p[2:]))
	case 10:
		h.payload = binary.BigEndian.Uint64(p[2:])
	}
	if h.masked {
		h.header += 4
	}
	return h, len(p) >= h.header
}

func (h frameHead) op() byte { return h.first & 0x0f }

// begins says that it is a message's first frame.
func (h frameHead) begins() bool { return h.op() == opText || h.op() == opBinary }

// doomed says that the header alone is a violation, so the library can judge it
// without the payload. With deflate, messages may be compressed.
func (h frameHead) doomed(deflate bool) bool {
	rsv := h.first & bitsRSV
	if deflate && h.begins() {
		rsv &^= bitRSV1
	}
	if rsv != 0 || !h.masked {
		return true
	}
	switch h.op() {
	case opContinuation, opText, opBinary:
		return false
	case opClose, opPing, opPong:
		return h.payload > maxControl || h.first&bitFin == 0
	}
	return true
}

// appendTextHead appends the header of a server's text frame of n bytes.
func appendTextHead(b []byte, n int) []byte {
	switch {
	case n < 126:
		return append(b, bitFin|opText, byte(n))
	case n < 1<<16:
		return append(b, bitFin|opText, 126, byte(n>>8), byte(n))
	}
	return binary.BigEndian.AppendUint64(append(b, bitFin|opText, 127), uint64(n))
}

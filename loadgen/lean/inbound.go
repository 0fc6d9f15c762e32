package lean

import (
	"encoding/binary"
	"unicode/utf8"
)

// inbound makes messages of what a connection's server sends. Between frames and
// outside of a fragmented message it holds nothing.
type inbound struct {
	part []byte // the beginning of a frame whose rest is not here yet
	msg  []byte // fragments of a message under way; nil: none is
}

// sink takes what inbound has put together. The bytes are valid during the call.
type sink interface {
	text(p []byte)
	control(op byte, p []byte) // a close frame is the last
}

// tooBig: a message would have more bytes than Options.MaxMessage.
const tooBig = Violation("message larger than we take")

// feed takes the next bytes. It says whether the close frame has come, after which
// nothing counts; an error is a Violation, and likewise the end.
func (in *inbound) feed(p []byte, limit int, to sink) (closed bool, err error) {
	if len(in.part) > 0 {
		in.part = append(in.part, p...)
		p = in.part
	}
	for {
		h, err := parseHeader(p)
		if err != nil {
			return false, err
		}
		if h.size == 0 {
			break
		}
		if h.op < opClose && h.payload > uint64(limit-len(in.msg)) {
			return false, tooBig
		}
		end := h.size + int(h.payload)
		if len(p) < end {
			break
		}
		if err := in.frame(h, p[h.size:end], to); err != nil || h.op == opClose {
			return err == nil, err
		}
		p = p[end:]
	}
	switch {
	case len(p) == 0:
		in.part = nil
	case len(p) != len(in.part): // else it is in.part already
		in.part = append([]byte(nil), p...)
	}
	return false, nil
}

// frame takes one whole frame.
func (in *inbound) frame(h header, p []byte, to sink) error {
	switch h.op {
	case opBinary:
		return Violation("binary message")
	case opText:
		if in.msg != nil {
			return Violation("a message within a fragmented one")
		}
		if h.fin {
			return deliver(p, to)
		}
		in.msg = append(make([]byte, 0, len(p)), p...)
	case opContinuation:
		if in.msg == nil {
			return Violation("continuation of nothing")
		}
		in.msg = append(in.msg, p...)
		if h.fin {
			p, in.msg = in.msg, nil
			return deliver(p, to)
		}
	default:
		if h.op == opClose && !goodClose(p) {
			return Violation("close frame")
		}
		to.control(h.op, p)
	}
	return nil
}

func deliver(p []byte, to sink) error {
	if !utf8.Valid(p) {
		return Violation("text that is not UTF-8")
	}
	to.text(p)
	return nil
}

// goodClose judges a close frame's payload, RFC 6455 sections 5.5.1 and 7.4.
func goodClose(p []byte) bool {
	if len(p) == 0 {
		return true
	}
	if len(p) == 1 || !utf8.Valid(p[2:]) {
		return false
	}
	switch code := binary.BigEndian.Uint16(p); code {
	case 1004, 1005, 1006, 1015:
		return false
	default:
		return code >= 1000 && code < 5000
	}
}

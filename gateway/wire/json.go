package wire

import "strconv"

// jsonCodec is feedgate.v1.json.
type jsonCodec struct{}

func (jsonCodec) Decode(p []byte, r *Request) error { return decode(p, r, true) }

func (jsonCodec) AppendBody(dst []byte, e *Event) []byte {
	return append(e.AppendJSON(dst), '}')
}

func (jsonCodec) AppendHead(dst []byte, n uint64, c Counts, counted bool, _ int) []byte {
	dst = append(dst, `{"n":`...)
	dst = strconv.AppendUint(dst, n, 10)
	if counted {
		dst = append(dst, `,"unread":`...)
		dst = c.AppendJSON(dst)
	}
	return append(dst, `,"event":`...)
}

func (jsonCodec) AppendFrame(dst []byte, f *Frame) []byte {
	switch f.Kind {
	case Reply:
		dst = append(dst, `{"re":`...)
		dst = strconv.AppendInt(dst, f.Re, 10)
		dst = append(dst, `,"ok":`...)
		dst = f.OK.AppendJSON(dst)
	case Failure:
		dst = append(dst, `{"re":`...)
		dst = strconv.AppendInt(dst, f.Re, 10)
		dst = append(dst, `,"error":`...)
		dst = f.Err.AppendJSON(dst)
	case Unread:
		dst = append(dst, `{"unread":`...)
		dst = f.Counts.AppendJSON(dst)
	case Heartbeat:
		dst = append(dst, `{"hb":`...)
		dst = strconv.AppendUint(dst, f.N, 10)
	case ResetFrame:
		dst = append(dst, `{"reset":{"stream":`...)
		dst = appendString(dst, f.Reset.Stream)
		dst = append(dst, `,"n":`...)
		dst = strconv.AppendUint(dst, f.Reset.N, 10)
		dst = append(dst, `,"reason":`...)
		dst = appendString(dst, f.Reset.Reason)
		dst = append(dst, `},"unread":`...)
		dst = f.Counts.AppendJSON(dst)
	case Goodbye:
		dst = append(dst, `{"bye":{"code":`...)
		dst = strconv.AppendInt(dst, int64(f.Bye.Code), 10)
		dst = append(dst, `,"reason":`...)
		dst = appendString(dst, f.Bye.Reason)
		dst = append(dst, `,"retry_ms":`...)
		dst = strconv.AppendInt(dst, millis(f.Bye.Retry), 10)
		dst = append(dst, `,"spread_ms":`...)
		dst = strconv.AppendInt(dst, millis(f.Bye.Spread), 10)
		dst = append(dst, '}')
	case TypingFrame:
		dst = append(dst, `{"typing":`...)
		dst = f.Typing.AppendJSON(dst)
	case PresenceFrame:
		dst = append(dst, `{"presence":`...)
		dst = f.Presence.AppendJSON(dst)
	default:
		panic("wire: a frame without a kind")
	}
	return append(dst, '}')
}

// AppendJSON encodes {"feed":…,"notifications":…,"messages":…,"v":…}.
func (c Counts) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"feed":`...)
	dst = strconv.AppendUint(dst, uint64(c.Feed), 10)
	dst = append(dst, `,"notifications":`...)
	dst = strconv.AppendUint(dst, uint64(c.Notifications), 10)
	dst = append(dst, `,"messages":`...)
	dst = strconv.AppendUint(dst, uint64(c.Messages), 10)
	dst = append(dst, `,"v":`...)
	dst = strconv.AppendUint(dst, c.V, 10)
	return append(dst, '}')
}

package lean

import (
	"bytes"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/feedgate/feedgate/gateway/wire"
)

// maxAnswer bounds a handshake's answer, in bytes.
const maxAnswer = 16 << 10

// RefusedError is a handshake answered with something else than 101.
type RefusedError struct {
	Status     int
	RetryAfter string // the header, "" without one
	Body       string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("lean: the handshake was refused with %d: %s", e.Status, e.Body)
}

// opening is what a connection holds until its handshake is done.
type opening struct {
	request []byte // not yet sent
	accept  string // what the answer must say
	got     []byte // of the answer so far
}

func newOpening(host, path, token string) *opening {
	var nonce [16]byte
	rand.Read(nonce[:])
	key := base64.StdEncoding.EncodeToString(nonce[:])
	b := make([]byte, 0, 256+len(token))
	b = append(b, "GET "...)
	b = append(b, path...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, host...)
	b = append(b, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "...)
	b = append(b, key...)
	b = append(b, "\r\nSec-WebSocket-Protocol: "+wire.JSONv1...)
	if token != "" {
		b = append(b, "\r\nAuthorization: Bearer "...)
		b = append(b, token...)
	}
	b = append(b, "\r\n\r\n"...)
	return &opening{request: b, accept: acceptFor(key)}
}

// acceptFor is RFC 6455 section 4.2.2.
func acceptFor(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// answer takes bytes of the answer. When it is done, rest is what came after it.
// ended: no more will come.
func (o *opening) answer(p []byte, ended bool) (rest []byte, done bool, err error) {
	o.got = append(o.got, p...)
	head, rest, whole := bytes.Cut(o.got, []byte("\r\n\r\n"))
	switch {
	case len(o.got) > maxAnswer && (!whole || len(head) > maxAnswer):
		return nil, false, errors.New("lean: the handshake's answer is too long")
	case !whole && ended:
		return nil, false, ErrGone
	case !whole:
		return nil, false, nil
	}
	status, fields, err := parseHead(string(head))
	if err != nil {
		return nil, false, err
	}
	if status != 101 {
		length, err := strconv.Atoi(fields["content-length"])
		if !ended && len(rest) < maxAnswer && (err != nil || len(rest) < length) {
			return nil, false, nil
		}
		return nil, false, &RefusedError{status, fields["retry-after"], string(rest)}
	}
	switch {
	case !strings.EqualFold(fields["upgrade"], "websocket"), !strings.EqualFold(fields["connection"], "upgrade"):
		return nil, false, Violation("101 without an upgrade")
	case fields["sec-websocket-accept"] != o.accept:
		return nil, false, Violation("Sec-WebSocket-Accept")
	case fields["sec-websocket-protocol"] != wire.JSONv1:
		return nil, false, Violation("another subprotocol")
	case fields["sec-websocket-extensions"] != "":
		return nil, false, Violation("an extension that nobody asked for")
	}
	return rest, true, nil
}

// parseHead reads the status line and the fields, their names in lower case.
func parseHead(head string) (status int, fields map[string]string, err error) {
	lines := strings.Split(head, "\r\n")
	version, rest, _ := strings.Cut(lines[0], " ")
	code, _, _ := strings.Cut(rest, " ")
	status, err = strconv.Atoi(code)
	if err != nil || version != "HTTP/1.1" || len(code) != 3 {
		return 0, nil, fmt.Errorf("lean: the handshake's answer is not HTTP: %.40q", lines[0])
	}
	fields = make(map[string]string, len(lines))
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return 0, nil, fmt.Errorf("lean: a line in the handshake's answer: %.40q", line)
		}
		fields[strings.ToLower(name)] = strings.TrimSpace(value)
	}
	return status, fields, nil
}

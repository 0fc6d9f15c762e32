package wire

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// timeForm is RFC 3339 in UTC with exactly milliseconds.
const timeForm = "2006-01-02T15:04:05.000Z"

func appendTime(dst []byte, t time.Time) []byte {
	dst = append(dst, '"')
	dst = t.UTC().AppendFormat(dst, timeForm)
	return append(dst, '"')
}

// appendID encodes an id: a decimal string, since not every JSON library reads
// 63 bits exactly.
func appendID(dst []byte, id int64) []byte {
	dst = append(dst, '"')
	dst = strconv.AppendInt(dst, id, 10)
	return append(dst, '"')
}

// appendCursor is an id where 0 means that there is none.
func appendCursor(dst []byte, id int64) []byte {
	if id == 0 {
		return append(dst, `""`...)
	}
	return appendID(dst, id)
}

// appendSome encodes a member whose name stands in lead, unless s is empty.
func appendSome(dst []byte, lead, s string) []byte {
	if s == "" {
		return dst
	}
	return appendString(append(dst, lead...), s)
}

// appendAmount encodes a member whose name stands in lead, unless n is 0.
func appendAmount(dst []byte, lead string, n int64) []byte {
	if n == 0 {
		return dst
	}
	return strconv.AppendInt(append(dst, lead...), n, 10)
}

// appendList encodes a list; never null.
func appendList[T any](dst []byte, list []T, one func(dst []byte, v *T) []byte) []byte {
	dst = append(dst, '[')
	for i := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = one(dst, &list[i])
	}
	return append(dst, ']')
}

func appendStrings(dst []byte, list []string) []byte {
	return appendList(dst, list, func(dst []byte, s *string) []byte { return appendString(dst, *s) })
}

const hexDigits = "0123456789abcdef"

// appendString encodes a JSON string (RFC 8259, section 7). Whatever s holds,
// the result is valid UTF-8: broken bytes become U+FFFD. U+2028 and U+2029 are
// escaped, since they end a line in older JavaScript.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' {
				i++
				continue
			}
			dst = append(dst, s[start:i]...)
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\n':
				dst = append(dst, '\\', 'n')
			case '\r':
				dst = append(dst, '\\', 'r')
			case '\t':
				dst = append(dst, '\\', 't')
			default:
				dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(dst, s[start:i]...)
			dst = append(dst, "\uFFFD"...)
			start = i + size
		case r == '\u2028' || r == '\u2029':
			dst = append(dst, s[start:i]...)
			dst = append(dst, `\u202`...)
			dst = append(dst, hexDigits[r&15])
			start = i + size
		}
		i += size
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

package schedule

import (
	"strconv"
	"strings"

	"github.com/feedgate/feedgate/loadgen/graph"
)

// Text is what a post says: which run it is of, which number it has, and filling
// that both determine, up to the size. Every process can tell what it must be.
//
//	loadgen 3f2a9c11 000012 kzqj wmvb …
func Text(run uint32, number, size int) string {
	const hex = "0123456789abcdef"
	b := make([]byte, 0, size)
	b = append(b, "loadgen "...)
	for shift := 28; shift >= 0; shift -= 4 {
		b = append(b, hex[run>>shift&15])
	}
	b = append(b, ' ')
	digits := strconv.Itoa(number)
	for range max(6-len(digits), 0) {
		b = append(b, '0')
	}
	b = append(b, digits...)
	r := graph.Mix(uint64(run)<<32 ^ uint64(number))
	for i := 0; len(b) < size; i++ {
		if i%5 == 0 && len(b) < size-1 { // never the last: white space at the end is cut off
			b = append(b, ' ')
			continue
		}
		b = append(b, 'a'+byte(r%26))
		if r /= 26; r < 26 {
			r = graph.Mix(uint64(run) + uint64(number)<<20 + uint64(i))
		}
	}
	return string(b)
}

// Number finds the run and the number in a text. Whether the rest is as it should
// be is to be told by comparing it with Text.
func Number(text string) (run uint32, number int, ok bool) {
	rest, ok := strings.CutPrefix(text, "loadgen ")
	if !ok || len(rest) < 9 || rest[8] != ' ' {
		return 0, 0, false
	}
	r, err := strconv.ParseUint(rest[:8], 16, 32)
	if err != nil {
		return 0, 0, false
	}
	digits, _, _ := strings.Cut(rest[9:], " ")
	n, err := strconv.ParseUint(digits, 10, 31)
	if err != nil {
		return 0, 0, false
	}
	return uint32(r), int(n), true
}

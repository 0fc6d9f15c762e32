//go:build linux

package main

import (
	"bytes"
	"math/bits"
	"strconv"
	"time"
)

// A post's text is the moment at which it was to be sent: CLOCK_MONOTONIC in
// microseconds, in base 36, always stampSize bytes.
const stampSize = 10

var stampKey = []byte(`"text":"`)

func stamp(t time.Duration) string {
	s := strconv.FormatInt(t.Microseconds(), 36)
	return "0000000000"[:stampSize-len(s)] + s
}

// stampOf finds the stamp in an event's frame.
func stampOf(p []byte) (t time.Duration, ok bool) {
	at := bytes.Index(p, stampKey)
	if at < 0 || len(p) < at+len(stampKey)+stampSize {
		return 0, false
	}
	us := int64(0)
	for _, c := range p[at+len(stampKey):][:stampSize] {
		switch {
		case c >= '0' && c <= '9':
			us = us*36 + int64(c-'0')
		case c >= 'a' && c <= 'z':
			us = us*36 + int64(c-'a') + 10
		default:
			return 0, false
		}
	}
	return time.Duration(us) * time.Microsecond, true
}

// restamp puts another stamp in place of the frame's.
func restamp(p []byte, t time.Duration) {
	if at := bytes.Index(p, stampKey); at >= 0 {
		copy(p[at+len(stampKey):], stamp(t))
	}
}

// digits reads a number at the front of p.
func digits(p []byte) (n uint64, ok bool) {
	for _, c := range p {
		if c < '0' || c > '9' {
			break
		}
		n, ok = n*10+uint64(c-'0'), true
	}
	return n, ok
}

// after is the number behind the first occurrence of a key, 0 without one.
func after(p []byte, key string) uint64 {
	at := bytes.Index(p, []byte(key))
	if at < 0 {
		return 0
	}
	n, _ := digits(p[at+len(key):])
	return n
}

// histogram counts durations in buckets of 1/16 of a power of two: within 6 %.
type histogram struct {
	counts [64 * 16]int64
	total  int64
	top    time.Duration
}

func (h *histogram) add(d time.Duration) {
	d = max(d, 1)
	h.counts[bucketOf(d)]++
	h.total++
	h.top = max(h.top, d)
}

func bucketOf(d time.Duration) int {
	e := bits.Len64(uint64(d)) - 1
	if e < 4 {
		return int(d)
	}
	return e*16 + int(uint64(d)>>(e-4)&15)
}

// quantile is the upper end of the bucket that holds it.
func (h *histogram) quantile(q float64) time.Duration {
	left := int64(q * float64(h.total))
	for i, n := range h.counts {
		if left -= n; left < 0 {
			e := i / 16
			if e < 4 {
				return time.Duration(i)
			}
			return time.Duration(16+i%16+1)<<(e-4) - 1
		}
	}
	return h.top
}

func (h *histogram) max() time.Duration { return h.top }

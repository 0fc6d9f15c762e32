package bus

import (
	"container/heap"
	"time"
)

// letter is a message on its way to one node of a Hub.
type letter struct {
	due   time.Time
	seq   uint64 // orders those that are due together
	topic string
	msg   []byte
}

// letters is a heap, the next to arrive first.
type letters []letter

func (l *letters) add(one letter) { heap.Push(l, one) }
func (l *letters) take() letter   { return heap.Pop(l).(letter) }

func (l *letters) drop() {
	clear(*l)
	*l = (*l)[:0]
}

func (l letters) Len() int      { return len(l) }
func (l letters) Swap(i, j int) { l[i], l[j] = l[j], l[i] }
func (l letters) Less(i, j int) bool {
	if l[i].due.Equal(l[j].due) {
		return l[i].seq < l[j].seq
	}
	return l[i].due.Before(l[j].due)
}
func (l *letters) Push(x any) { *l = append(*l, x.(letter)) }
func (l *letters) Pop() any {
	last := len(*l) - 1
	out := (*l)[last]
	(*l)[last] = letter{}
	*l = (*l)[:last]
	return out
}

package kernel

// A queue is a doubly linked list of threads, by index, so that any of them can
// be taken out in constant time. A thread is in one queue at most: the run
// queues, or that of what it waits for.
type queue struct{ head, tail int16 }

func (k *Kernel) pushBack(q *queue, i int16) {
	t := &k.threads[i]
	t.prev, t.next = q.tail, none
	if q.tail == none {
		q.head = i
	} else {
		k.threads[q.tail].next = i
	}
	q.tail = i
}

func (k *Kernel) pushFront(q *queue, i int16) {
	t := &k.threads[i]
	t.prev, t.next = none, q.head
	if q.head == none {
		q.tail = i
	} else {
		k.threads[q.head].prev = i
	}
	q.head = i
}

func (k *Kernel) remove(q *queue, i int16) {
	t := &k.threads[i]
	if t.prev == none {
		q.head = t.next
	} else {
		k.threads[t.prev].next = t.next
	}
	if t.next == none {
		q.tail = t.prev
	} else {
		k.threads[t.next].prev = t.prev
	}
	t.prev, t.next = none, none
}

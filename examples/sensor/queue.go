package main

// maxQueue is how many reports are kept for a collector that is away: an hour and more, at
// one in five seconds.
const maxQueue = 1000

// queue has the reports that the collector hasn't confirmed, the oldest first. The zero
// value is ready for use.
type queue struct {
	reports []report
	last    uint64 // number of the newest
}

// add numbers a report and appends it; when there are too many, the oldest makes room. The
// collector sees that by the gap in the numbers.
func (q *queue) add(r report) {
	q.last++
	r.Seq = q.last
	if len(q.reports) == maxQueue {
		q.reports = q.reports[1:]
	}
	q.reports = append(q.reports, r)
}

// sendAll sends reports until none are left or one can't be sent. That one stays: it may
// have arrived all the same, and arrives twice then.
func (q *queue) sendAll(send func(report) error) error {
	for len(q.reports) > 0 {
		if err := send(q.reports[0]); err != nil {
			return err
		}
		q.reports = q.reports[1:]
	}
	return nil
}

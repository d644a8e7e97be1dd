package main

import (
	"errors"
	"slices"
	"testing"
)

func TestQueue(t *testing.T) {
	var q queue
	for range maxQueue + 3 {
		q.add(report{})
	}
	var sent []uint64
	away := errors.New("away")
	take := func(room int) func(report) error {
		return func(r report) error {
			if room == 0 {
				return away
			}
			room--
			sent = append(sent, r.Seq)
			return nil
		}
	}
	if err := q.sendAll(take(2)); !errors.Is(err, away) {
		t.Fatal(err)
	}
	if err := q.sendAll(take(-1)); err != nil {
		t.Fatal(err)
	}
	// The first three had to make room; the others come once each, in order.
	var want []uint64
	for n := uint64(4); n <= maxQueue+3; n++ {
		want = append(want, n)
	}
	if !slices.Equal(sent, want) {
		t.Errorf("sent %v", sent)
	}
}

//go:build !arm

package main

import "errors"

// These checks are written for the processor that the kernel is for.

var errNotHere = errors.New("needs an arm processor")

func privileged() error        { return errNotHere }
func wildStackPointers() error { return errNotHere }
func wildJumps() error         { return errNotHere }
func forgedFrames() error      { return errNotHere }
func strangeThreads() error    { return errNotHere }
func everywhere() error        { return errNotHere }
func switchRegisters() error   { return errNotHere }

// Package nic is the seam between an Ethernet driver and a network stack.
//
// A driver (for example [ingot.dev/board/driver/enet]) implements [Device]; a
// network stack uses it. Neither knows the other, and nothing here depends on
// either. The interface is shaped by what made the path fast when it was
// measured:
//
//   - frames are read where the hardware put them and are given back in
//     batches, so that a stack can look ahead over everything that is ready;
//   - frames are built where the hardware reads them, and one doorbell starts
//     a whole burst;
//   - checksums are the hardware's work in both directions.
//
// A receiving goroutine looks like this:
//
//	for {
//		if err := dev.WaitRx(); err != nil {
//			return err // net.ErrClosed after Close
//		}
//		for {
//			frame, ok := dev.NextRx()
//			if !ok {
//				break
//			}
//			handle(frame) // copies what it keeps
//		}
//		dev.ReleaseRx()
//	}
//
// and a transmitter, which serialises its calls by itself, like this:
//
//	for _, payload := range burst {
//		slot := dev.TxSlot()
//		for slot == nil { // the ring is full: back-pressure, not a spin
//			if err := dev.WaitTx(); err != nil {
//				return err
//			}
//			slot = dev.TxSlot()
//		}
//		dev.CommitTx(copy(slot, payload))
//	}
//	dev.FlushTx()
//
// The subpackage nictest holds what every implementation is tested with, and a
// pair of Devices joined by a wire in memory, with faults on demand, for
// testing network stacks.
package nic

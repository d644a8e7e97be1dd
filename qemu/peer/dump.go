package peer

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// dumped is how much of each frame a dump has: the headers, with room for options.
const dumped = 96

// DumpArgs are for qemu.Config.ExtraArgs, behind those of Args: what goes over the wire is
// noted in a file, in the format of pcap, with the machine's own time. With
// instructions counted (qemu.Config.ICount) that is independent of the host.
func DumpArgs(file string) []string {
	return []string{"-object", fmt.Sprintf("filter-dump,id=dump0,netdev=%s,maxlen=%d,file=%s", netID, dumped, strings.ReplaceAll(file, ",", ",,"))}
}

// Of the format of pcap (draft-ietf-opsawg-pcap), as QEMU writes it.
const (
	pcapMagic      = 0xa1b2c3d4 // times have microseconds
	pcapHeader     = 24
	packetHeader   = 16
	ethernetFrames = 1
)

// ReadDump calls f for each frame of a dump, with the machine's time when it was sent or
// arrived, the first bytes of it, and its length. A frame that isn't complete ends
// the dump: QEMU may have been stopped while it wrote it.
func ReadDump(r io.Reader, f func(at time.Duration, head []byte, length int)) error {
	in := bufio.NewReader(r)
	var header [pcapHeader]byte
	if _, err := io.ReadFull(in, header[:]); err != nil {
		return fmt.Errorf("peer: dump: %w", err)
	}
	var order binary.ByteOrder = binary.LittleEndian
	if order.Uint32(header[:]) != pcapMagic {
		order = binary.BigEndian
	}
	if order.Uint32(header[:]) != pcapMagic || order.Uint32(header[20:]) != ethernetFrames {
		return errors.New("peer: dump: not one of Ethernet frames, in the format of pcap")
	}
	for {
		var h [packetHeader]byte
		var frame [dumped]byte
		if _, err := io.ReadFull(in, h[:]); err != nil {
			return ended(err)
		}
		size := order.Uint32(h[8:])
		if size > dumped {
			return fmt.Errorf("peer: dump: %d bytes of a frame, want at most %d", size, dumped)
		}
		if _, err := io.ReadFull(in, frame[:size]); err != nil {
			return ended(err)
		}
		at := time.Duration(order.Uint32(h[:]))*time.Second + time.Duration(order.Uint32(h[4:]))*time.Microsecond
		f(at, frame[:size], int(order.Uint32(h[12:])))
	}
}

func ended(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil
	}
	return fmt.Errorf("peer: dump: %w", err)
}

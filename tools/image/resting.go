package image

// What a connection that waits holds in memory without a use for it. Figures are those of
// one TLS connection on the imx6ulevk, which held 13.6 KB before.
var resting = []cut{
	{
		// 3.6 KB, and up to 40 KB after records of full length: crypto/tls keeps a
		// connection's largest buffers for as long as it lives. A transport that has
		// this method (tlsio's) is asked to wait without them; for others nothing
		// changes.
		name:  "crypto/tls's buffers of connections that wait",
		files: []string{"crypto/tls/conn.go"},
		edits: []edit{{
			"\t// Read header, payload.\n\tif err := c.readFromUntil(c.conn, recordHeaderLen); err != nil {",
			"\tif w, ok := c.conn.(interface{ TLSRest(raw, hand *bytes.Buffer) }); ok && c.rawInput.Len() == 0 { w.TLSRest(&c.rawInput, &c.hand) }\n" +
				"\tif err := c.readFromUntil(c.conn, recordHeaderLen); err != nil {",
		}, {
			// A file is changed once. What one Write sends in several records of full
			// length is sealed one behind the other, where the transport says, if it has
			// this method: it sends all of them together, without a copy.
			"\toutBuf := *outBufPtr\n",
			"\toutBuf, lent := *outBufPtr, false\n",
		}, {
			"\t\t*outBufPtr = outBuf\n",
			"\t\tif !lent { *outBufPtr = outBuf }\n",
		}, {
			"\t\t_, outBuf = sliceForAppend(outBuf[:0], recordHeaderLen)\n",
			"\t\tif lent { outBuf, lent = *outBufPtr, false }; if len(data) != m || n > 0 { if w, ok := c.conn.(interface{ TLSRoom(payload, left int) []byte }); ok && !c.buffering && typ == recordTypeApplicationData { if room := w.TLSRoom(m, len(data)-m); room != nil { outBuf, lent = room, true } } }; _, outBuf = sliceForAppend(outBuf[:0], recordHeaderLen)\n",
		}, {
			// 6 KB of garbage in each handshake: a flight of its messages is collected
			// in one of the buffers that records are sealed in, which have a pool.
			"\t\tc.sendBuf = append(c.sendBuf, data...)\n",
			"\t\tif c.sendBuf == nil { c.sendBuf = (*outBufPool.Get().(*[]byte))[:0] }; c.sendBuf = append(c.sendBuf, data...)\n",
		}, {
			"\tc.sendBuf = nil\n",
			"\tflight := c.sendBuf; outBufPool.Put(&flight); c.sendBuf = nil\n",
		}},
	},
	{
		// 2 KB: decrypting a record takes a stack of 4 KB, and the runtime halves a
		// stack only if less than a quarter of it is in use, 800 bytes that are
		// always reserved included. Now a goroutine that has waited since before the last
		// collection of garbage gets the smallest on which a function could
		// have called what waits. Who works between two collections keeps his.
		name:  "stacks of goroutines that wait",
		files: []string{"runtime/stack.go"},
		edits: []edit{{
			"\tif used := gp.stack.hi - gp.sched.sp + stackNosplit; used >= avail/4 {\n",
			"\tif used := gp.stack.hi - gp.sched.sp + stackNosplit; used >= avail/4 && !(readgstatus(gp)&^_Gscan == _Gwaiting && gp.waitsince != 0 && gp.waitsince != work.tstart && used-stackNosplit+stackGuard <= newsize) {\n",
		}},
	},
	{
		// 8 KB of garbage in 114 pieces, of a TLS 1.3 handshake's 50 KB, and 75,000 instructions:
		// HKDF makes an HMAC for each secret that is derived, with two hashes and two
		// blocks. With SHA-256, and no more than one block to expand to, one hash is enough.
		name:  "HKDF's garbage",
		files: []string{"crypto/internal/fips140/hkdf/hkdf.go"},
		edits: []edit{
			{
				"\t\"crypto/internal/fips140/hmac\"\n",
				"\t\"crypto/internal/fips140/hmac\"; \"crypto/internal/fips140/sha256\"\n",
			},
			{
				"\textractor := hmac.New(h, salt)\n",
				"\tif d, ok := any(h()).(*sha256.Digest); ok && d.Size() == 32 { return mac256(d, salt, secret, nil) }; extractor := hmac.New(h, salt)\n",
			},
			{
				"\tout := make([]byte, 0, keyLen)\n",
				"\tif keyLen <= 32 && len(pseudorandomKey) >= 112/8 { if d, ok := any(h()).(*sha256.Digest); ok && d.Size() == 32 { return mac256(d, pseudorandomKey, []byte(info), []byte{1})[:keyLen:keyLen] } }; out := make([]byte, 0, keyLen)\n",
			},
			{
				// FIPS 198-1, table 1, in one hash.
				"func Key[H hash.Hash](",
				"func mac256(d *sha256.Digest, key, message, more []byte) []byte { " +
					"var block [64]byte; var sum [32]byte; d.Reset(); " +
					"if len(key) > len(block) { d.Write(key); d.Sum(block[:0]); d.Reset() } else { copy(block[:], key) }; " +
					"for i := range block { block[i] ^= 0x36 }; d.Write(block[:]); d.Write(message); d.Write(more); d.Sum(sum[:0]); " +
					"for i := range block { block[i] ^= 0x36 ^ 0x5c }; d.Reset(); d.Write(block[:]); d.Write(sum[:]); return d.Sum(make([]byte, 0, 32)) }; " +
					"func Key[H hash.Hash](",
			},
		},
	},
	{
		// 152 bytes: room for nodes of a tree that is empty while nothing is lost, in
		// a list for each connection. Trees may share one.
		name:   "gVisor's lists of nodes for SACK",
		module: gvisor,
		files:  []string{"pkg/tcpip/transport/tcp/sack_scoreboard.go"},
		edits: []edit{
			{"const (\n\t// maxSACKBlocks is", "var sackNodes = btree.NewFreeListG[header.SACKBlock](btree.DefaultFreeListSize); const (\n\t// maxSACKBlocks is"},
			{"\tranges:    btree.NewG[header.SACKBlock](defaultBtreeDegree, sackBlockLess),", "\tranges:    btree.NewWithFreeListG(defaultBtreeDegree, sackBlockLess, sackNodes),"},
			{"s.ranges = btree.NewG[header.SACKBlock](defaultBtreeDegree, sackBlockLess)", "s.ranges = btree.NewWithFreeListG(defaultBtreeDegree, sackBlockLess, sackNodes)"},
		},
	},
}

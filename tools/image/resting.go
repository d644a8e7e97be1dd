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
			"\tif w, ok := c.conn.(interface{ TLSRest(raw, hand *bytes.Buffer) }); ok && handshakeComplete && c.rawInput.Len() == 0 { w.TLSRest(&c.rawInput, &c.hand) }\n" +
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

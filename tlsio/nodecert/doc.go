// Package nodecert shows certificates in the shape that Node, Bun and IoT.js give
// them: the object that getPeerCertificate and getCertificate return.
//
//	state := conn.State()
//	peer := nodecert.Peer(&state)
//	fmt.Println(peer.Subject["CN"], peer.SubjectAltName, peer.ValidTo, peer.Fingerprint256)
//
// encoding/json makes of it what JSON.stringify makes of Node's, but for bytes, which
// are Base64, and for the links to issuers, which are left out.
package nodecert

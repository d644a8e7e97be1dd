// Package tlsio is Ingot's way to speak TCP and TLS: the IO classes of
// ECMA-419 (TCP, Listener, TLS), a TLS listener in their manner, and plain
// blocking Go connections under the same policies.
//
// # Two ways in
//
// Programs that are happy with a goroutine per connection use [Listen] and
// [Dial]. Both return values of Go's own net interfaces, so everything that
// takes a net.Conn works on them:
//
//	ln, err := tlsio.Listen(ctx, network, ":8443", tlsio.TLSOptions{
//		GetCertificate: store.GetCertificate,
//	})
//
// Programs written in the manner of ECMA-419 use the classes [TCP], [TLS],
// [Listener], [TLSListener] and [UDP]: constructed from one options struct, never
// blocking, and reporting through callbacks that one [App] runs one after
// another, so that the program needs no locks. Each class can be turned into
// its blocking form with NetConn or NetListener, and an instance can be handed
// from one layer to the next with the From option, from plain text to TLS too, in
// either role (STARTTLS).
//
// # The life of an instance
//
// ECMA-419's rules are the default: the first OnWritable means connected, OnReadable
// comes once for what has arrived, and OnError is the last callback, also when the
// peer has ended properly (io.EOF). What else sockets can do doesn't change them
// until it is asked for:
//
//   - End and CloseWrite end our side; reading goes on. AllowHalfOpen keeps our side
//     usable after the peer's end, of which OnEnd tells; OnError(io.EOF) comes when
//     both have ended.
//   - Close sends what was written, Terminate drops it and resets the connection.
//   - SetIdleTimeout closes connections on which nothing comes or goes. Pause stops
//     reading, so that the peer has to wait.
//   - Reload replaces callbacks, of one instance or of all that a listener has made.
//   - ReadyState, BytesWritten and BytesRead answer on closed instances too.
//
// # Security
//
// A [SecureContext] is a validated [TLSOptions], for any number of connections of
// either role, also on connections that exist ([SecureContext.Secure]); [Listen],
// [Dial] and the classes take one as TLSOptions.Context, or make one of the other
// options. Reload changes it under way. What a program adds by TLSOptions.With
// ([Policy], [CipherSuites], [Groups], [Pins], [CRLs], [LegacyCommonName],
// [Identities], [TicketKeys], [SessionCache]) is in its image; what it doesn't name
// is not.
//
// All rules on peers are judged in one place, at each handshake and each resumption,
// and [State] says what came of it: a session can't carry anybody past rules that were
// made since, nor from one of a server's names to another.
//
// Errors have a number ([Error.Code]), for devices that can show no more.
//
// ECMA-419's DNS and NTP clients are in packages resolver and ntp.
//
// # What is underneath
//
// TLS is crypto/tls, certificates are crypto/x509. The package knows no network
// stack: a [Network] dials and listens for it. [HostNetwork] is the one of
// the operating system; on a board it comes from Ingot's net package.
//
// # Rules that hold everywhere
//
//   - Options are validated as a whole before anything is allocated. What is
//     wrong comes back joined in one error; each part is an [*OptionError] that
//     names the option, its value and the fix. Options are copied, never
//     changed.
//   - Certificates and keys are DER. PEM is refused, with the command that
//     converts it.
//   - Peers are verified unless an option says otherwise, in a way that can't be
//     overlooked. What decides lives in VerifyConnection, which crypto/tls also calls
//     when a session is resumed; [State.Authorized] tells the result in every mode.
//   - TLS 1.2 and 1.3; TLS 1.1 only where an option names it.
//   - Errors are [*Error]: the stage reached, the TLS alert sent or received,
//     the cause (errors.Is and errors.As reach down to crypto/x509's types) and,
//     where one is known, the fix.
//   - A panic of a function that the options name fails the connection that it was
//     called for, with a [*PanicError]; one in a callback comes out of [App.Run].
//   - No option is silently ignored. RFC 6066 maximum fragment length can't be
//     negotiated by crypto/tls, so MaximumFragmentLength caps the records that
//     are sent, and [Conn.MaximumFragmentLengthNegotiated] reports false.
//
// # Reading order
//
// options.go and error.go hold the vocabulary; listen.go, dial.go and conn.go
// the blocking path. context.go, terms.go and verify.go are its security, with
// identity.go, tickets.go, sessions.go, policy.go, pins.go, crl.go and names.go for
// what With adds, and state.go for what can be asked; code.go and explain.go are about
// errors. app.go, borrow.go, link.go, tcp.go, tls.go, listener.go and udp.go the
// classes; gather.go, half.go, idle.go, flow.go and handlers.go what they have beyond 419.
package tlsio

package server

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"ingot.dev/tlsio"
)

// optionErrors collects refused options, so that all are reported at once.
type optionErrors []error

func (l *optionErrors) add(option string, value any, fix string) {
	*l = append(*l, &tlsio.OptionError{Option: option, Value: value, Fix: fix})
}

// err returns what was collected as one error of number 10022, or nil.
func (l optionErrors) err(op string) error {
	if len(l) == 0 {
		return nil
	}
	return &Error{Op: op, Code: CodeInvalidArgument, Err: errors.Join(l...)}
}

// within checks a number and fills in what 0 stands for.
func (l *optionErrors) within(option string, n *int, zero, least, most int, unit string) {
	if *n == 0 {
		*n = zero
	} else if *n < least || *n > most {
		l.add(option, *n, fmt.Sprintf("use %d to %d%s, or 0 for %d", least, most, unit, zero))
	}
}

func (l *optionErrors) positive(option string, d time.Duration) {
	if d < 0 {
		l.add(option, d, "use a positive duration, or 0")
	}
}

// mostBuffer bounds the sizes that a program may ask for, so that a slip of the
// pen is an error and not the end of memory.
const mostBuffer = 64 << 20

// checked returns c with defaults in place and copies of its slices, or says all
// that is wrong with it. TLS is checked when it is used.
func (c Config) checked(op string) (Config, error) {
	var errs optionErrors
	if c.UseIPv6 > IPv4AndIPv6 {
		errs.add("UseIPv6", int(c.UseIPv6), "use IPv4Only, IPv6Only or IPv4AndIPv6")
	}
	if c.LocalHost != "" {
		addr, err := netip.ParseAddr(c.LocalHost)
		switch {
		case err != nil:
			errs.add("LocalHost", fmt.Sprintf("%q", c.LocalHost), "use an IP address of this device, or leave it out for all")
		case addr.Unmap().Is4() && c.UseIPv6 == IPv6Only:
			errs.add("LocalHost", c.LocalHost, "is IPv4, but UseIPv6 is IPv6Only")
		case !addr.Unmap().Is4() && c.UseIPv6 == IPv4Only:
			errs.add("LocalHost", c.LocalHost, "is IPv6; set UseIPv6 to IPv6Only or IPv4AndIPv6")
		}
	}
	if c.LocalPort < 0 || c.LocalPort > 65535 {
		errs.add("LocalPort", c.LocalPort, "use 0 to 65535; 0 picks a free one")
	}
	if c.PlaintextPort < 0 || c.PlaintextPort > 65535 {
		errs.add("PlaintextPort", c.PlaintextPort, "use 1 to 65535, or leave it out")
	}
	if c.PlaintextPort != 0 && c.StartMode != StartAutomatic {
		errs.add("PlaintextPort", c.PlaintextPort, "is used with StartAutomatic only; leave it out")
	}
	errs.within("ConnectionBacklog", &c.ConnectionBacklog, DefaultConnectionBacklog, 1, 1<<16, "")
	errs.within("MaxConnections", &c.MaxConnections, DefaultMaxConnections, 1, MostConnections, "")
	errs.within("MaxLineLength", &c.MaxLineLength, DefaultMaxLineLength, LeastMaxLineLength, mostBuffer, " bytes")
	errs.within("MaxRecordLength", &c.MaxRecordLength, DefaultMaxRecordLength, 1, mostBuffer, " bytes")
	errs.within("SendQueue", &c.SendQueue, DefaultSendQueue, 512, mostBuffer, " bytes")
	for _, b := range []struct {
		option string
		n      int
	}{{"InBufferSize", c.InBufferSize}, {"OutBufferSize", c.OutBufferSize}} {
		if b.n < 0 || b.n > mostBuffer {
			errs.add(b.option, b.n, fmt.Sprintf("use up to %d bytes, or 0 for the network's own", mostBuffer))
		}
	}
	if len(c.EOL) > LeastMaxLineLength {
		errs.add("EOL", fmt.Sprintf("%d bytes", len(c.EOL)), fmt.Sprintf("use %d bytes at most", LeastMaxLineLength))
	}
	for _, d := range []struct {
		option string
		d      time.Duration
	}{{"IdleTimeout", c.IdleTimeout}, {"Timeout", c.Timeout}, {"KeepAliveTime", c.KeepAliveTime}, {"KeepAliveInterval", c.KeepAliveInterval},
		{"LingerTimeout", c.LingerTimeout}, {"HandshakeInactivity", c.HandshakeInactivity}} {
		errs.positive(d.option, d.d)
	}
	if c.StallTimeout == 0 {
		c.StallTimeout = DefaultStallTimeout
	}
	if c.LingerTimeout == 0 {
		c.LingerTimeout = DefaultLingerTimeout
	}
	if c.StartMode > StartExplicit {
		errs.add("StartMode", int(c.StartMode), "use StartNone, StartAutomatic, StartImplicit or StartExplicit")
	}
	if !c.CodePage.valid() {
		errs.add("CodePage", int(c.CodePage), codePageFix)
	}
	if err := c.settle(); err != nil {
		errs = append(errs, err)
	}
	if c.TLS.MaxConnections != 0 {
		errs.add("TLS.MaxConnections", c.TLS.MaxConnections, "leave it out; MaxConnections counts all connections")
	}
	if c.TLS.Admit != nil || c.TLS.Budget != nil {
		errs.add("TLS.Admit, TLS.Budget", nil, "leave them out; Admit and Budget hold for all connections")
	}
	if c.TLS.OnRefused != nil {
		errs.add("TLS.OnRefused", nil, "leave it out; Connected tells of handshakes that failed")
	}
	if c.TLS.MaxHandshakes < 0 {
		errs.add("TLS.MaxHandshakes", c.TLS.MaxHandshakes, "use a positive number, or 0 for the default")
	}
	parseClients(&errs, "AllowedClients", c.AllowedClients)
	parseClients(&errs, "BlockedClients", c.BlockedClients)
	if err := errs.err(op); err != nil {
		return Config{}, err
	}
	c.EOL = slices.Clone(c.EOL)
	c.AllowedClients, c.BlockedClients = slices.Clone(c.AllowedClients), slices.Clone(c.BlockedClients)
	return c, nil
}

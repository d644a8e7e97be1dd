package qemu

import (
	"net/netip"
	"testing"
)

// TestUserNetwork: the addresses that QEMU takes for itself are others than the guest's.
func TestUserNetwork(t *testing.T) {
	for _, tt := range []struct{ address, gateway, want string }{
		{"192.168.7.20/24", "192.168.7.1", ",net=192.168.7.0/24,host=192.168.7.1,dns=192.168.7.2,dhcpstart=192.168.7.3"},
		{"192.168.7.2/24", "192.168.7.3", ",net=192.168.7.0/24,host=192.168.7.3,dns=192.168.7.1,dhcpstart=192.168.7.4"},
		{"10.9.8.1/16", "", ",net=10.9.0.0/16,host=10.9.0.1,dns=10.9.0.2,dhcpstart=10.9.0.3"},
		{"10.9.0.1/16", "", ",net=10.9.0.0/16,host=10.9.0.2,dns=10.9.0.3,dhcpstart=10.9.0.4"},
	} {
		cfg := Config{Address: netip.MustParsePrefix(tt.address)}
		if tt.gateway != "" {
			cfg.Gateway = netip.MustParseAddr(tt.gateway)
		}
		if got := cfg.userNetwork(); got != tt.want {
			t.Errorf("%s by %s: %s, want %s", tt.address, tt.gateway, got, tt.want)
		}
	}
}

package near

import "testing"

func TestOf(t *testing.T) {
	names := []string{"address", "gateway", "dns"}
	for _, tt := range []struct{ word, want string }{
		{"adress", "address"}, {"addresses", "address"}, {"adresses", ""}, {"gatway", "gateway"}, {"DNS", ""}, {"dn", "dns"}, {"d", "dns"}, {"", ""}, {"address", "address"},
	} {
		got, ok := Of(tt.word, names)
		if got != tt.want || ok != (tt.want != "") {
			t.Errorf("%q: %q, %v; want %q", tt.word, got, ok, tt.want)
		}
	}
}

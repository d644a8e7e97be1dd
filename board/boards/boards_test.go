package boards

import (
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	for _, name := range Names() {
		b, err := ByName(name)
		if err != nil {
			t.Fatal(err)
		}
		if b.Title == "" || b.GOARCH == "" || b.EntryName == "" || b.QEMU.Binary == "" || b.QEMU.Package == "" || b.QEMU.Machine == "" || b.QEMU.NIC == "" {
			t.Errorf("%s: a field is missing: %+v", name, b)
		}
		if b.PageSize == 0 || b.PageSize&(b.PageSize-1) != 0 || b.TextAddr%b.PageSize != 0 {
			t.Errorf("%s: text at %#x with pages of %#x", name, b.TextAddr, b.PageSize)
		}
		if b.ImageBudget <= 0 || b.ImageBudget > b.RAM {
			t.Errorf("%s: a budget of %d bytes with %d bytes of RAM", name, b.ImageBudget, b.RAM)
		}
		if b.BootParams%4096 != 0 {
			t.Errorf("%s: boot parameters at %#x are not page-aligned", name, b.BootParams)
		}
	}
}

func TestByName(t *testing.T) {
	b, err := ByName("")
	if err != nil || b.Name != Default {
		t.Errorf("the default board is %q, %v", b.Name, err)
	}
	if _, err := ByName("toaster"); err == nil || !strings.Contains(err.Error(), Default) {
		t.Errorf("an unknown board: %v, want an error that lists %s", err, Default)
	}
}

func TestLinkFlags(t *testing.T) {
	b := Board{TextAddr: 0x80010000, PageSize: 0x1000, EntryName: "entry"}
	if got, want := strings.Join(b.LinkFlags(), " "), "-T 0x80010000 -R 0x1000 -E entry"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

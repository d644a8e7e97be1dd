package flash

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// system makes a System of files; names that begin with "sys" or "proc".
func system(t *testing.T, files map[string]string) System {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		var err error
		if to, ok := strings.CutPrefix(text, "-> "); ok {
			err = os.Symlink(to, name)
		} else {
			err = os.WriteFile(name, []byte(text), 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return System{Sys: filepath.Join(dir, "sys"), Proc: filepath.Join(dir, "proc")}
}

// machine has a system's disk (8:0), a card in a reader (8:16), a card in a slot of its own
// (179:0) and soldered memory (179:8).
func machine(t *testing.T, mounts string, more map[string]string) System {
	files := map[string]string{
		"sys/dev/block/8:0":              "-> ../../devices/sata/block/sda",
		"sys/dev/block/8:1":              "-> ../../devices/sata/block/sda/sda1",
		"sys/dev/block/8:16":             "-> ../../devices/usb/block/sdb",
		"sys/dev/block/8:17":             "-> ../../devices/usb/block/sdb/sdb1",
		"sys/dev/block/179:0":            "-> ../../devices/mmc/block/mmcblk0",
		"sys/dev/block/179:8":            "-> ../../devices/mmc/block/mmcblk1",
		"sys/devices/sata/block/sda/dev": "8:0\n", "sys/devices/sata/block/sda/size": "1000000\n", "sys/devices/sata/block/sda/removable": "0\n",
		"sys/devices/sata/block/sda/device/vendor": "ATA     \n", "sys/devices/sata/block/sda/device/model": "Samsung SSD     \n",
		"sys/devices/sata/block/sda/sda1/dev": "8:1\n", "sys/devices/sata/block/sda/sda1/partition": "1\n",
		"sys/devices/usb/block/sdb/dev": "8:16\n", "sys/devices/usb/block/sdb/size": "31116288\n", "sys/devices/usb/block/sdb/removable": "1\n",
		"sys/devices/usb/block/sdb/device/vendor": "Generic \n", "sys/devices/usb/block/sdb/device/model": "SD/MMC\n",
		"sys/devices/usb/block/sdb/sdb1/dev": "8:17\n", "sys/devices/usb/block/sdb/sdb1/partition": "1\n",
		"sys/devices/mmc/block/mmcblk0/dev": "179:0\n", "sys/devices/mmc/block/mmcblk0/size": "2048\n", "sys/devices/mmc/block/mmcblk0/removable": "0\n",
		"sys/devices/mmc/block/mmcblk0/device/type": "SD\n", "sys/devices/mmc/block/mmcblk0/device/name": "SL16G\n",
		"sys/devices/mmc/block/mmcblk1/dev": "179:8\n", "sys/devices/mmc/block/mmcblk1/size": "2048\n", "sys/devices/mmc/block/mmcblk1/removable": "0\n",
		"sys/devices/mmc/block/mmcblk1/device/type": "MMC\n",
		"proc/self/mountinfo":                       "22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n23 22 0:5 / /dev rw - devtmpfs udev rw\n" + mounts,
		"proc/swaps":                                "Filename Type Size Used Priority\n",
	}
	for name, text := range more {
		files[name] = text
	}
	return system(t, files)
}

func TestDescribe(t *testing.T) {
	card := Target{Path: "x", Device: true, Size: 31116288 * 512, Name: "Generic SD/MMC", Removable: true}
	used := func(uses ...string) Target { t := card; t.Uses = uses; return t }
	for name, c := range map[string]struct {
		system System
		number string
		want   Target
	}{
		"a card in a reader": {machine(t, "", nil), "8:16", card},
		"a card in a slot":   {machine(t, "", nil), "179:0", Target{Path: "x", Device: true, Size: 1 << 20, Name: "SL16G", Removable: true}},
		"soldered memory":    {machine(t, "", nil), "179:8", Target{Path: "x", Device: true, Size: 1 << 20}},
		"the system's disk": {machine(t, "", nil), "8:0", Target{Path: "x", Device: true, Size: 512000000, Name: "ATA Samsung SSD",
			Uses: []string{"/dev/sda1 on /"}, System: true}},
		"a mounted partition":               {machine(t, "40 22 8:17 / /media/my\\040card rw - vfat /dev/sdb1 rw\n", nil), "8:16", used("/dev/sdb1 on /media/my card")},
		"a mounted disk":                    {machine(t, "40 22 8:16 / /mnt rw - vfat /dev/sdb rw\n", nil), "8:16", used("/dev/sdb on /mnt")},
		"mounted under a number of its own": {machine(t, "40 22 0:44 / /mnt rw master:1 - btrfs /dev/sdb1 rw\n", nil), "8:16", used("/dev/sdb1 on /mnt")},
		"an encrypted partition":            {machine(t, "", map[string]string{"sys/devices/usb/block/sdb/sdb1/holders/dm-0": ""}), "8:16", used("/dev/sdb1 by dm-0")},
		"part of an array":                  {machine(t, "", map[string]string{"sys/devices/usb/block/sdb/holders/md0": ""}), "8:16", used("/dev/sdb by md0")},
	} {
		got, err := c.system.describe("x", c.number)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, c.want)
		}
	}
	swap := machine(t, "", map[string]string{"proc/swaps": "Filename Type Size Used Priority\n/dev/sdb1 partition 1 0 -2\n"})
	if got, err := swap.describe("x", "8:16"); err != nil || !got.System {
		t.Errorf("a disk with swap: %+v, %v", got, err)
	}
	if got, err := machine(t, "", nil).describe("/dev/sdb1", "8:17"); !errors.Is(err, ErrNotDisk) || !strings.Contains(err.Error(), "give /dev/sdb") {
		t.Errorf("a partition: %+v, %v", got, err)
	}
	if got, err := machine(t, "", nil).describe("x", "9:9"); err == nil {
		t.Errorf("an unknown number: %+v", got)
	}
}

func TestInspect(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(dir, "new")} {
		if got, err := (System{}).Inspect(path); err != nil || !reflect.DeepEqual(got, Target{Path: path}) {
			t.Errorf("%s: %+v, %v", path, got, err)
		}
	}
	for _, path := range []string{dir, "/dev/null", "/dev/there-is-none"} {
		if got, err := (System{}).Inspect(path); !errors.Is(err, ErrNotDisk) {
			t.Errorf("%s: %+v, %v", path, got, err)
		}
	}
}

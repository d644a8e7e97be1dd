// Package firmware brings a board up and serves TLS on it.
//
//	//go:embed all:certs/image
//	var certificates embed.FS
//
//	func main() {
//		firmware.Main(firmware.Config{
//			Certs: certificates,
//			Services: []firmware.Service{{Name: "echo", Listen: ":8443", Serve: firmware.Echo}},
//		})
//	}
//
// The same main runs on a laptop, in QEMU and on a board. On a board Main starts
// with nothing but power: entropy, Ethernet, time, certificates, address, services,
// in this order, and says on the console what it got. Hosted, the operating system
// has all that, and only certificates and services are left.
//
// # Entropy
//
// Nothing here works on predictable randomness. When the kernel was given no seed
// and the board has no source of noise, Start says what is missing and returns
// ErrNoEntropy, before there is a network. (A package of the program may ask for
// random numbers before main does, as gVisor's hash functions do: then the kernel
// says the same, and the program waits there for a driver to bring some.)
//
// # Time
//
// The clock starts at the latest of the boot loader's time, that of the board's own clock
// and the build's, which 'ingot build' puts into the image. A time server corrects it, and
// the board's clock with it. It never goes below the build's time. Validity of certificates is judged on it, and the console says
// where it came from.
//
// # Settings
//
// Where an image is one thing and the place it runs in another, environment
// variables, which come with the boot parameters, say what is particular:
//
//	INGOT_ADDR        IPv4 address and prefix, 10.0.2.15/24; dhcp, or without it, DHCP
//	INGOT_GATEWAY     IPv4 router, with INGOT_ADDR
//	INGOT_ADDR6       fixed IPv6 address and prefix, 2001:db8::15/64; auto, or without it, none
//	INGOT_GATEWAY6    IPv6 router, with INGOT_ADDR6
//	INGOT_DNS         name servers, comma-separated
//	INGOT_NTP         time servers, comma-separated
//	INGOT_HOSTNAME    told to the DHCP server
//	INGOT_IPV6        off leaves IPv6 out
//	INGOT_MAC         of the Ethernet port
//
// The program may read others for itself; ingot-firmware has some.
package firmware

// SPDX-License-Identifier: GPL-2.0
/* machine: what CPUID says of the machine: "hypervisor NAME", empty for none. */
#include <cpuid.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
	unsigned int a, b, c, d;
	char name[13] = "";

	__cpuid(1, a, b, c, d);
	if (c >> 31) {
		__cpuid(0x40000000, a, b, c, d);
		memcpy(name, &b, 4);
		memcpy(name + 4, &c, 4);
		memcpy(name + 8, &d, 4);
	}
	printf("hypervisor %s\n", name);
	return 0;
}

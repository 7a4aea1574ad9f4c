// SPDX-License-Identifier: GPL-2.0
/* /dev/apkern: see abi/apkern.h for what each request takes and answers. */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/uaccess.h>
#include <asm/tsc.h>
#include "compat.h"
#include "core.h"

static long ioctl_adopt(const void __user *arg, bool at_exec)
{
	struct apkern_adopt a;

	if (copy_from_user(&a, arg, sizeof(a)))
		return -EFAULT;
	if (a.size != sizeof(a) || a.version != APKERN_VERSION || a.flags)
		return -EINVAL;
	return thread_adopt(&a, at_exec);
}

static long ioctl_info(void __user *arg)
{
	struct apkern_info info;

	if (copy_from_user(&info, arg, sizeof(info)))
		return -EFAULT;
	if (info.size != sizeof(info) || info.version != APKERN_VERSION)
		return -EINVAL;
	info.cpus = acpu_taken_count();
	info.cpus_up = acpu_up();
	info.threads = thread_count();
	info.slots_used = slots_used();
	info.tsc_khz = tsc_khz;
	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

static long ioctl_inject(const void __user *arg)
{
	struct apkern_inject i;
	struct acpu *a;
	bool usable;

	if (!apk_param_inject)
		return -EPERM;
	if (copy_from_user(&i, arg, sizeof(i)))
		return -EFAULT;
	if (i.size != sizeof(i) || i.version != APKERN_VERSION ||
	    i.command < APK_CMD_CRASH_BOUNDS || i.command > APK_CMD_STALL)
		return -EINVAL;
	rcu_read_lock();	/* it is not given back meanwhile */
	a = acpu_by_linux(i.cpu);
	usable = a && acpu_usable(a);
	if (usable)
		acpu_command(a, i.command);
	rcu_read_unlock();
	return usable ? 0 : -ENODEV;
}

static long dev_ioctl(struct file *file, unsigned int request, unsigned long arg)
{
	void __user *p = (void __user *)arg;

	switch (request) {
	case APKERN_IOC_ADOPT:
		return ioctl_adopt(p, false);
	case APKERN_IOC_ADOPT_EXEC:
		return ioctl_adopt(p, true);
	case APKERN_IOC_INFO:
		return ioctl_info(p);
	case APKERN_IOC_INJECT:
		return ioctl_inject(p);
	}
	return -ENOTTY;
}

/* The page at offset n of the mapping; NULL past the end, and of a CPU that never was an application CPU. */
static void *mapped_page(unsigned long n)
{
	struct acpu *a;
	void *stat;

	if (!n)
		return apk_home;
	n--;
	if (n >= (unsigned long)apk_nr_cpus * APKERN_MAP_CPU_PAGES)
		return NULL;
	a = &apk_cpus[n / APKERN_MAP_CPU_PAGES];
	/* Pairs with the store in memory_cpu_init(): log comes before. */
	stat = virt_load_acquire(&a->stat);
	n %= APKERN_MAP_CPU_PAGES;
	return stat && n ? a->log : stat;
}

static int dev_mmap(struct file *file, struct vm_area_struct *vma)
{
	unsigned long i, pages = vma_pages(vma);
	void *page;
	int ret;

	if (vma->vm_flags & (VM_WRITE | VM_EXEC))
		return -EPERM;
	apk_vm_flags_change(vma, VM_DONTEXPAND | VM_DONTCOPY, VM_MAYWRITE | VM_MAYEXEC);
	for (i = 0; i < pages; i++) {
		page = mapped_page(vma->vm_pgoff + i);
		if (!page)
			return -EINVAL;
		ret = vm_insert_page(vma, vma->vm_start + i * PAGE_SIZE,
				     is_vmalloc_addr(page) ? vmalloc_to_page(page) :
				     virt_to_page(page));
		if (ret)
			return ret;
	}
	return 0;
}

static const struct file_operations dev_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = dev_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = dev_mmap,
	.llseek = noop_llseek,
};

static struct miscdevice dev = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "apkern",
	.mode = 0660,
	.fops = &dev_fops,
};

int dev_init(void)
{
	return misc_register(&dev);
}

void dev_exit(void)
{
	misc_deregister(&dev);
}

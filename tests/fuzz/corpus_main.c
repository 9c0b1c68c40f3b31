/* Runs a fuzzer over every file of a folder: the kept inputs as a test, without libFuzzer. */
#include <dirent.h>
#include <limits.h>

#include "tests/fuzz/fuzz.h"

#define FILE_SIZE_MAX (1 << 20)

/* In memory of exactly its size, so that a read beyond it is seen by a sanitizer. */
static void run_file(const char *path)
{
        static uint8_t content[FILE_SIZE_MAX];
        FILE *file = fopen(path, "rb");
        LAW(file);
        size_t size = fread(content, 1, sizeof(content), file);
        fclose(file);
        uint8_t *copy = malloc(size ? size : 1);
        LAW(copy);
        memcpy(copy, content, size);
        LLVMFuzzerTestOneInput(copy, size);
        free(copy);
}

int main(int argc, char **argv)
{
        unsigned count = 0;
        if (argc != 2) {
                fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
                return 2;
        }
        DIR *folder = opendir(argv[1]);
        for (struct dirent *entry; folder && (entry = readdir(folder));) {
                char path[PATH_MAX];
                if (entry->d_name[0] == '.')
                        continue;
                snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
                run_file(path);
                count++;
        }
        if (folder)
                closedir(folder);
        printf("%u inputs\n", count);
        return count ? 0 : 1;
}

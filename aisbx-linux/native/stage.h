/* Where the launcher lays out what it mounts itself (`sources.STAGE`). */
#ifndef AISBX_STAGE_H
#define AISBX_STAGE_H

#define STAGE "/sys"

#endif
